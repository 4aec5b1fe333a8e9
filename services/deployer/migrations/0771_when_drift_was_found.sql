alter table drift add column ended bigint not null default 0; -- operations that had ended there: after another it is old news
