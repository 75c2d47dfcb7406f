"""Uses a Tableau server with Tableau's own Python client, as a script would.

    client.py URL SITE FOLDER

The credentials are in TABLEAU_TOKEN_NAME, TABLEAU_TOKEN_SECRET, TABLEAU_USER
and TABLEAU_PASSWORD. What the client learnt is printed as JSON; files that it
exported are in the folder. Exports that the client refuses to ask a server of
that version for are named under "unavailable".
"""

import json
import os
import re
import sys
from pathlib import Path

import tableauserverclient as TSC
from tableauserverclient.server.endpoint.exceptions import UnsupportedAttributeError
from tableauserverclient.server.exceptions import EndpointUnavailableError

url, site, folder = sys.argv[1], sys.argv[2], Path(sys.argv[3])
facts = {"files": {}, "unavailable": [], "paper": {}}
used, asked = set(), {}  # exports of the library, and the parameters of their options


def credentials():
    return TSC.PersonalAccessTokenAuth(
        os.environ["TABLEAU_TOKEN_NAME"], os.environ["TABLEAU_TOKEN_SECRET"], site_id=site
    )


def called(endpoint, method):
    used.add(f"{type(endpoint).__name__}.{method.__name__}")


def export(name, endpoint, method, item, options=None):
    """Exports one file under the name, whose suffix is its format."""
    populate, attribute = getattr(endpoint, method), method.removeprefix("populate_")
    called(endpoint, populate)
    if options:
        kinds = {re.sub(r"^(vf_Parameters\.|vf_).*", r"\1", key) for key in options.get_query_params()}
        asked.setdefault(type(options).__name__, set()).update(kinds)
    try:
        populate(item, *([options] if options else []))
        content = getattr(item, attribute)
    except (EndpointUnavailableError, UnsupportedAttributeError):
        facts["unavailable"].append(name)
        return None
    if not isinstance(content, bytes):
        content = b"".join(content)
    (folder / name).write_bytes(content)
    facts["files"][name] = len(content)
    return content


def download(endpoint, method, *args, **options):
    """Downloads what its publisher uploaded, under the name that the server gives it."""
    fetch = getattr(endpoint, method)
    called(endpoint, fetch)
    path = Path(fetch(*args, **options))
    facts["files"][path.name] = path.stat().st_size
    return path


def of_the_library():
    """Names the library's exports: all that populates or downloads a file."""
    no_files = ("connections", "dqw", "permissions", "revisions", "views")
    found = set()
    for endpoint in (TSC.server.endpoint.views_endpoint.Views, TSC.server.endpoint.workbooks_endpoint.Workbooks,
                     TSC.server.endpoint.custom_views_endpoint.CustomViews, TSC.server.endpoint.datasources_endpoint.Datasources):
        for name in dir(endpoint):
            kind, _, what = name.partition("_")
            if kind == "download" or kind == "populate" and not what.startswith(no_files):
                found.add(f"{endpoint.__name__}.{name}")
    return found


def failure(action):
    """Does what must fail, and says how it did."""
    try:
        action()
    except (TSC.ServerResponseError, TSC.FailedSignInError) as e:
        return e.code
    return "it succeeded"


def look_around(server):
    info = server.server_info.get()
    facts["product"], facts["api"] = info.product_version, info.rest_api_version
    facts["user"] = server.users.get_by_id(server.user_id).name
    facts["projects"] = [p.name for p in TSC.Pager(server.projects)]
    facts["workbooks"] = [w.name for w in TSC.Pager(server.workbooks)]
    facts["paged"] = [v.content_url for v in TSC.Pager(server.views, TSC.RequestOptions(pagesize=4))]
    facts["beyond"] = failure(lambda: server.views.get(TSC.RequestOptions(pagenumber=99)))
    facts["usage"] = all(v.total_views > 0 for v in server.views.get(usage=True)[0])

    options = TSC.RequestOptions()
    options.filter.add(TSC.Filter("workbookName", TSC.RequestOptions.Operator.Equals, "Finance"))
    options.filter.add(TSC.Filter("name", TSC.RequestOptions.Operator.In, ["Overview", "Operating Profit"]))
    options.sort.add(TSC.Sort("name", TSC.RequestOptions.Direction.Desc))
    facts["filtered"] = [v.name for v in server.views.get(options)[0]]
    tagged = TSC.RequestOptions()
    tagged.filter.add(TSC.Filter("tags", TSC.RequestOptions.Operator.In, ["écoles"]))
    facts["tagged"] = [w.name for w in server.workbooks.get(tagged)[0]]
    unknown = TSC.RequestOptions()
    unknown.filter.add(TSC.Filter("colour", TSC.RequestOptions.Operator.Equals, "red"))
    facts["unknown filter"] = failure(lambda: server.views.get(unknown))
    me = server.users.get_by_id(server.user_id)
    server.users.populate_workbooks(me)
    facts["own workbooks"] = [w.name for w in me.workbooks]
    facts["unknown view"] = failure(lambda: server.views.get_by_id(server.site_id))


def one(items, content_url):
    options = TSC.RequestOptions()
    options.filter.add(TSC.Filter("contentUrl", TSC.RequestOptions.Operator.Equals, content_url))
    (item,) = items.get(options)[0]
    return item


def export_views(server):
    views = server.views
    dashboard = views.get_by_id(one(views, "Superstore/sheets/Overview").id)
    sheet, customers = one(views, "Superstore/sheets/SalesbyRegion"), one(views, "Superstore/sheets/TopCustomers")
    image, pdf, csv = TSC.ImageRequestOptions, TSC.PDFRequestOptions, TSC.CSVRequestOptions
    export("preview.png", views, "populate_preview_image", dashboard)
    export("plain.png", views, "populate_image", dashboard)
    high = image(imageresolution=image.Resolution.High, maxage=1).vf("Region", "West").parameter("Top N", "3")
    high.language = "de"
    export("high.png", views, "populate_image", dashboard, high)
    export("sized.png", views, "populate_image", sheet, image(maxage=1, viz_width=640, viz_height=480))
    export("as png.png", views, "populate_image", sheet, image(maxage=1, format=image.Format.PNG))
    export("image.svg", views, "populate_image", dashboard, image(maxage=1, format=image.Format.SVG))
    for name, paper in vars(pdf.PageType).items():
        if not name.startswith("_"):
            lying = pdf(page_type=paper, orientation=pdf.Orientation.Landscape, maxage=1, viz_width=400, viz_height=200)
            lying.language = "de"
            content = export("view.pdf", views, "populate_pdf", sheet, lying.vf("Region", "West").parameter("Top N", "3"))
            box = re.search(rb"/MediaBox \[0 0 ([0-9.]+) ([0-9.]+)\]", content)
            facts["paper"][paper] = [float(side) for side in box.groups()]
    export("plain.pdf", views, "populate_pdf", dashboard)
    upright = pdf(page_type=pdf.PageType.A4, orientation=pdf.Orientation.Portrait)
    export("upright.pdf", views, "populate_pdf", dashboard, upright)
    export("all.csv", views, "populate_csv", sheet)
    west = csv(maxage=1).vf("Region", "West").vf("Category", "Office Supplies")
    export("west.csv", views, "populate_csv", sheet, west)
    tuples = csv(maxage=1).vf("Region", "West,East").vf("Category", "Furniture,Technology")
    export("tuples.csv", views, "populate_csv", sheet, tuples)
    customer = csv(maxage=1).vf("Customer Name", "Ellis\\, Ltd.").parameter("Top N", "5")
    export("customer.csv", views, "populate_csv", customers, customer)
    german = csv()
    german.language = "de"
    export("german.csv", views, "populate_csv", dashboard, german)
    export("view.xlsx", views, "populate_excel", sheet)
    excel = TSC.ExcelRequestOptions(maxage=1).vf("Region", "West").parameter("Top N", "3")
    excel.language = "de"
    export("west.xlsx", views, "populate_excel", sheet, excel)


def export_workbook(server):
    books, pdf = server.workbooks, TSC.PDFRequestOptions
    workbook = one(books, "Superstore")
    books.populate_views(workbook, usage=True)
    facts["sheets"] = [v.name for v in workbook.views]
    facts["webpage"] = workbook.webpage_url
    export("workbook preview.png", books, "populate_preview_image", workbook)
    export("workbook.pdf", books, "populate_pdf", workbook, pdf(page_type=pdf.PageType.Letter, maxage=1))
    west = pdf(page_type=pdf.PageType.A3, orientation=pdf.Orientation.Landscape, maxage=1, viz_width=400, viz_height=300)
    export("west workbook.pdf", books, "populate_pdf", workbook, west.vf("Region", "West"))
    export("workbook.pptx", books, "populate_powerpoint", workbook)
    export("fresh workbook.pptx", books, "populate_powerpoint", workbook, TSC.PPTXRequestOptions(maxage=1))
    whole = download(books, "download", workbook.id, filepath=str(folder)).stat().st_size
    with open(folder / "without data.twbx", "wb") as out:
        books.download(workbook.id, filepath=out, include_extract=False)
    facts["without data"] = (folder / "without data.twbx").stat().st_size < whole
    books.populate_revisions(workbook)
    facts["revisions"] = [r.revision_number for r in workbook.revisions]
    with open(folder / "revision.twbx", "wb") as out:
        called(books, books.download_revision)
        books.download_revision(workbook.id, workbook.revisions[0].revision_number, out)


def export_data_source(server):
    source = one(server.datasources, "SuperstoreOrders")
    facts["data source"] = [source.name, source.project_name]
    download(server.datasources, "download", source.id, filepath=str(folder))
    server.datasources.populate_revisions(source)
    with open(folder / "revision.tdsx", "wb") as out:
        called(server.datasources, server.datasources.download_revision)
        server.datasources.download_revision(source.id, source.revisions[0].revision_number, out)


def export_custom_views(server):
    custom_views, image, pdf, csv = server.custom_views, TSC.ImageRequestOptions, TSC.PDFRequestOptions, TSC.CSVRequestOptions
    try:
        found = list(TSC.Pager(custom_views))
    except EndpointUnavailableError:
        facts["unavailable"].append("custom views")
        return
    facts["custom views"] = [v.name for v in found]
    custom = custom_views.get_by_id(next(v.id for v in found if v.name == "West only"))
    facts["custom view of"] = [custom.view.name, custom.workbook.name, custom.owner.name]
    export("custom.png", custom_views, "populate_image", custom)
    high = image(imageresolution=image.Resolution.High, maxage=1, viz_width=640, viz_height=480).vf("Category", "Furniture")
    export("high custom.png", custom_views, "populate_image", custom, high)
    export("custom.svg", custom_views, "populate_image", custom, image(maxage=1, format=image.Format.SVG))
    export("custom.pdf", custom_views, "populate_pdf", custom)
    lying = pdf(page_type=pdf.PageType.A4, orientation=pdf.Orientation.Landscape, maxage=1)
    export("lying custom.pdf", custom_views, "populate_pdf", custom, lying.vf("Category", "Furniture"))
    export("custom.csv", custom_views, "populate_csv", custom)
    export("may custom.csv", custom_views, "populate_csv", custom, csv(maxage=1).vf("Month of Order Date", "May 2026"))
    try:
        called(custom_views, custom_views.download)
        definition = json.loads(custom_views.download(custom, folder / "custom.json").read_text())
        facts["definition"] = [part["viewName"] for part in definition if part["isSourceView"] and part["tcv"]]
    except EndpointUnavailableError:
        facts["unavailable"].append("custom.json")


def main():
    server = TSC.Server(url, use_server_version=True)
    with server.auth.sign_in(credentials()):
        facts["version"] = server.version
        look_around(server)
        export_views(server)
        export_workbook(server)
        export_data_source(server)
        export_custom_views(server)

    first, second = (TSC.Server(url, use_server_version=True) for _ in range(2))
    first.auth.sign_in(credentials())
    second.auth.sign_in(credentials())
    facts["after a second sign-in"] = failure(first.views.get)
    facts["the second"] = len(second.views.get()[0])
    second.auth.sign_out()

    # Sessions of passwords do not end one another.
    password = TSC.TableauAuth(os.environ["TABLEAU_USER"], os.environ["TABLEAU_PASSWORD"], site_id=site)
    first.auth.sign_in(password)
    second.auth.sign_in(password)
    facts["with a password"] = [len(first.views.get()[0]), len(second.views.get()[0])]
    first.auth.sign_out()
    second.auth.sign_out()
    wrong = TSC.PersonalAccessTokenAuth("nobody", "nothing", site_id=site)
    facts["a wrong token"] = failure(lambda: first.auth.sign_in(wrong))
    facts["unused"] = sorted(of_the_library() - used)
    facts["options"] = {options: sorted(kinds) for options, kinds in asked.items()}
    print(json.dumps(facts))


main()
