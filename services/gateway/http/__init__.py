"""The HTTP frame: requests, answers, problems, pages, files, and the description of it all."""
