alter table site add column labels jsonb not null default '{}';
alter table automatic_wish add column events jsonb not null default '[]'; -- what happened to the site: code, message, and what each carries
