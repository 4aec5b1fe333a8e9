alter table forecast add column overdue boolean not null default false;
