create table signing_key (
    app text not null,
    name text not null,
    public_key text not null,
    expires_at timestamptz,
    set_at timestamptz not null,
    set_by text not null,
    primary key (app, name)
);
alter table release add column signature jsonb;
