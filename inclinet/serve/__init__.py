"""A web page and a REST API that predict inclinations, and a page on which people label galaxies."""
