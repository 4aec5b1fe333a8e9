-- Versions of no standard, as applications of StarlingX have them.

alter table app drop constraint app_scheme_check;
alter table app add constraint app_scheme_check check (scheme in ('pep440', 'semver', 'natural'));
