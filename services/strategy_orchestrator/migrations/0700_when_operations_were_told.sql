-- A beginning that is told again after the end makes no site busy.
alter table site add column told_at timestamptz;
