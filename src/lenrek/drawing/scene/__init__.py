"""A picture as shapes, some of which belong to one step only; written as SVG, as GIF or as a page with steps."""
