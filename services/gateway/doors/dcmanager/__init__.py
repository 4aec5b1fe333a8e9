"""The API of StarlingX's dcmanager, so that scripts and command lines written for it go on: see README.md."""
