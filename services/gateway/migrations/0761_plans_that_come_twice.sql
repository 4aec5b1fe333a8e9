-- What waited for its release is planned a second time, and what was said before may be told again.
alter table strategy add column plan_seq bigint not null default 0;
