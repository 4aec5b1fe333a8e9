-- Drivers of foreign tools keep their orders here.
create table driver_order (
    key text primary key,
    driver text not null,
    site text not null,
    app text not null,
    component text not null,
    nth bigint not null generated always as identity,
    cancelled boolean not null default false,
    taken boolean not null default false,
    note jsonb not null default '{}',
    result jsonb,
    ended_at timestamptz,
    check ((result is null) = (ended_at is null))
);
create index driver_order_by_place on driver_order (site, app, component, nth);
