// Shows the picture of the view that the address names, as in
// #/site/demo/views/Superstore/Overview?Region=West, or the list of all views.
const views = [...document.querySelectorAll(".views a[data-picture]")];

function decoded(text) {
  try { return decodeURIComponent(text); } catch { return text; }
}

function wanted() {
  const whole = location.hash.length > 1 ? location.hash.slice(1) : location.pathname + location.search;
  const [path, query = ""] = whole.split("?");
  const parts = path.split("/").filter(Boolean).map(decoded);
  let site = "";
  if (parts[0] === "site" || parts[0] === "t") [, site] = parts.splice(0, 2);
  if (parts[0] !== "views" || parts.length < 3) return null;
  return { key: ["", site, parts[1], parts[2]].join("/").toLowerCase(), query, custom: parts[3] };
}

function keyOf(link) {
  const parts = link.getAttribute("href").slice(1).split("/").filter(Boolean).map(decoded);
  const site = parts[0] === "site" ? parts.splice(0, 2)[1] : "";
  return ["", site, parts[1], parts[2]].join("/").toLowerCase();
}

function show() {
  const target = wanted();
  document.getElementById("list").hidden = target !== null;
  document.getElementById("view").hidden = target === null;
  if (target === null) return;
  const link = views.find((v) => keyOf(v) === target.key);
  const picture = document.getElementById("picture");
  picture.hidden = !link;
  document.getElementById("missing").hidden = Boolean(link);
  document.getElementById("crumbs").textContent = link ? link.dataset.crumbs : "";
  if (!link) return;
  const filters = new URLSearchParams();
  for (const [name, value] of new URLSearchParams(target.query)) {
    if (!name.startsWith(":")) filters.append("vf_" + name, value);
  }
  if (target.custom) filters.append("customview", target.custom);
  picture.alt = link.dataset.crumbs;
  picture.src = link.dataset.picture + (filters.size ? "&" + filters : "");
}

addEventListener("hashchange", show);
show();
