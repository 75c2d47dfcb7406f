"""Uses a Tableau server with Tableau's own Python client, as a script would.

    client.py URL SITE FOLDER

The credentials are in TABLEAU_TOKEN_NAME, TABLEAU_TOKEN_SECRET, TABLEAU_USER
and TABLEAU_PASSWORD. What the client learnt is printed as JSON; files that it
exported are in the folder. Exports that the client refuses to ask a server of
that version for are named under "unavailable".
"""

import json
import os
import sys
from pathlib import Path

import tableauserverclient as TSC
from tableauserverclient.server.endpoint.exceptions import UnsupportedAttributeError
from tableauserverclient.server.exceptions import EndpointUnavailableError

url, site, folder = sys.argv[1], sys.argv[2], Path(sys.argv[3])
facts = {"files": {}, "unavailable": []}


def credentials():
    return TSC.PersonalAccessTokenAuth(
        os.environ["TABLEAU_TOKEN_NAME"], os.environ["TABLEAU_TOKEN_SECRET"], site_id=site
    )


def export(name, populate, item, options, attribute):
    """Exports one file under the name, whose suffix is its format."""
    try:
        populate(item, *([options] if options else []))
        content = getattr(item, attribute)
    except (EndpointUnavailableError, UnsupportedAttributeError):
        facts["unavailable"].append(name)
        return
    if not isinstance(content, bytes):
        content = b"".join(content)
    (folder / name).write_bytes(content)
    facts["files"][name] = len(content)


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
    facts["unknown view"] = failure(lambda: server.views.get_by_id(server.site_id))


def one(items, content_url):
    options = TSC.RequestOptions()
    options.filter.add(TSC.Filter("contentUrl", TSC.RequestOptions.Operator.Equals, content_url))
    (item,) = items.get(options)[0]
    return item


def export_views(server):
    dashboard = server.views.get_by_id(one(server.views, "Superstore/sheets/Overview").id)
    sheet = one(server.views, "Superstore/sheets/SalesbyRegion")
    views = server.views
    export("preview.png", views.populate_preview_image, dashboard, None, "preview_image")
    export("image.png", views.populate_image, dashboard, TSC.ImageRequestOptions(maxage=1), "image")
    high = TSC.ImageRequestOptions(imageresolution=TSC.ImageRequestOptions.Resolution.High, maxage=1)
    export("high.png", views.populate_image, dashboard, high, "image")
    sized = TSC.ImageRequestOptions(maxage=1, viz_width=640, viz_height=480)
    export("sized.png", views.populate_image, sheet, sized, "image")
    a4 = TSC.PDFRequestOptions(
        page_type=TSC.PDFRequestOptions.PageType.A4, orientation=TSC.PDFRequestOptions.Orientation.Landscape, maxage=1
    )
    export("view.pdf", views.populate_pdf, dashboard, a4, "pdf")
    export("all.csv", views.populate_csv, sheet, TSC.CSVRequestOptions(maxage=1), "csv")
    west = TSC.CSVRequestOptions(maxage=1).vf("Region", "West").vf("Category", "Office Supplies")
    export("west.csv", views.populate_csv, sheet, west, "csv")
    customer = TSC.CSVRequestOptions(maxage=1).vf("Customer Name", "Ellis\\, Ltd.").parameter("Top N", "5")
    export("customer.csv", views.populate_csv, one(views, "Superstore/sheets/TopCustomers"), customer, "csv")
    svg = TSC.ImageRequestOptions(maxage=1, format=TSC.ImageRequestOptions.Format.SVG)
    export("image.svg", views.populate_image, dashboard, svg, "image")
    export("view.xlsx", views.populate_excel, sheet, TSC.ExcelRequestOptions(maxage=1), "excel")


def export_workbook(server):
    workbook = one(server.workbooks, "Superstore")
    server.workbooks.populate_views(workbook, usage=True)
    facts["sheets"] = [v.name for v in workbook.views]
    facts["webpage"] = workbook.webpage_url
    books = server.workbooks
    export("workbook preview.png", books.populate_preview_image, workbook, None, "preview_image")
    letter = TSC.PDFRequestOptions(page_type=TSC.PDFRequestOptions.PageType.Letter, maxage=1)
    export("workbook.pdf", books.populate_pdf, workbook, letter, "pdf")
    export("workbook.pptx", books.populate_powerpoint, workbook, TSC.PPTXRequestOptions(maxage=1), "powerpoint")
    path = Path(books.download(workbook.id, filepath=str(folder)))
    facts["files"][path.name] = path.stat().st_size


def export_custom_views(server):
    names = ("custom.png", "custom.pdf", "custom.csv")
    try:
        found = list(TSC.Pager(server.custom_views))
    except EndpointUnavailableError:
        facts["unavailable"] += names
        return
    facts["custom views"] = [v.name for v in found]
    custom = server.custom_views.get_by_id(next(v.id for v in found if v.name == "West only"))
    facts["custom view of"] = [custom.view.name, custom.workbook.name, custom.owner.name]
    export("custom.png", server.custom_views.populate_image, custom, TSC.ImageRequestOptions(maxage=1), "image")
    export("custom.pdf", server.custom_views.populate_pdf, custom, TSC.PDFRequestOptions(maxage=1), "pdf")
    export("custom.csv", server.custom_views.populate_csv, custom, TSC.CSVRequestOptions(maxage=1), "csv")


def main():
    server = TSC.Server(url, use_server_version=True)
    with server.auth.sign_in(credentials()):
        facts["version"] = server.version
        look_around(server)
        export_views(server)
        export_workbook(server)
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
    print(json.dumps(facts))


main()
