/* What is shown to a browser: ASSET(id, name, type), embedded by assets.S and listed by
 * assets.c. Modules stand in an order in which none uses a later one while it is loaded, so
 * that one behind the other, without their lines `import …`, they are one script. */
ASSET(page_html, "page.html", "text/html; charset=utf-8")
ASSET(style_css, "style.css", "text/css; charset=utf-8")
ASSET(dom_js, "dom.js", "text/javascript; charset=utf-8")
ASSET(numbers_js, "numbers.js", "text/javascript; charset=utf-8")
ASSET(npz_js, "npz.js", "text/javascript; charset=utf-8")
ASSET(data_js, "data.js", "text/javascript; charset=utf-8")
ASSET(route_js, "route.js", "text/javascript; charset=utf-8")
ASSET(chart_js, "chart.js", "text/javascript; charset=utf-8")
ASSET(list_js, "list.js", "text/javascript; charset=utf-8")
ASSET(select_js, "select.js", "text/javascript; charset=utf-8")
ASSET(overview_js, "overview.js", "text/javascript; charset=utf-8")
ASSET(features_js, "features.js", "text/javascript; charset=utf-8")
ASSET(feature_js, "feature.js", "text/javascript; charset=utf-8")
ASSET(search_js, "search.js", "text/javascript; charset=utf-8")
ASSET(app_js, "app.js", "text/javascript; charset=utf-8")
