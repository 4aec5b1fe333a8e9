alter table drift add column nth bigint not null default 1; -- of what was told of it; 1 = told without a number
