"""A driver for Belay: a folder of the bundle, copied into a folder of the site, as `rsync -a --delete` would."""
