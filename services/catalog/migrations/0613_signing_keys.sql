create table signing_key (
    app text not null,
    name text not null,
    public_key text not null,
    expires_at timestamptz,
    nth bigint not null,
    primary key (app, name)
);
