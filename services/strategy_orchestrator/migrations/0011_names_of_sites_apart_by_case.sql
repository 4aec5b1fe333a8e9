create unique index site_apart_by_case on site (lower(name));
