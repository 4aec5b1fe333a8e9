alter table site_group
    add column sites integer not null default 0 check (sites >= 0),
    add column running integer not null default 0 check (running >= 0);
update site_group g set sites = (select count(*) from site s where s.group_name = g.name);
alter table strategy add column groups text[] not null default '{}';
alter table stage add column full_groups text not null default '';
alter table step add column group_name text;
create index step_of_group on step (strategy_id, stage, group_name, position) where group_name is not null;
create table share (
    strategy_id text not null references strategy (id),
    stage integer not null,
    group_name text not null,
    waiting integer not null check (waiting >= 0),
    cursor integer not null,
    blocked boolean not null default false,
    primary key (strategy_id, stage, group_name)
) with (fillfactor = 50);
create index share_blocked on share (group_name) where blocked;
