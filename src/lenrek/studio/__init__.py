"""The studio: a local web page on a network, its images, its runs and its data.

`create_app(session)` is the server, `serve(session, …)` runs it, `session` holds what was named at the start. The page
is in `page/`: plain ES modules and CSS, one file per view, nothing from elsewhere, no build step.

A view is two files and two lines:

1. `views/NAME.py` with `router(session) -> fastapi.APIRouter`: the view's JSON, mounted under `/api/NAME` and described
   by OpenAPI. Handlers are `async`; whatever computes goes through `await session.calls.run(request, function,
   *arguments)`, which runs it in a thread, one at a time, refuses when too many wait, and stops when the page has gone.
   Errors of `lenrek.errors` become `{"error": message}` with status 400.
2. `page/views/NAME.js` with `export function mount(element, api, state)`: builds the view inside `element`. It may
   return `{restore(), leave()}`: called when the link changed, and when another view is shown.
   `api.json(path, {query, signal})`, `api.bytes(…)` and `api.post(path, body)` ask the view's own router.
   `state.get(name, fallback)` and `state.set({name: value})` are the view's part of the link; null removes a value.
   `h` of `page/element.js` makes elements (text is always text, never markup), `saveButtons` of `page/save.js` saves
   an svg or a canvas.
3. A line in `views/__init__.py`, and one in `page/shell.js`.
"""
