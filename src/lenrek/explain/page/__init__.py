"""`lenrek explain` as a page: what is asked, sections that answer, and the list of them."""
