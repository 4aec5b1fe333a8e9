-- What became of the preparation of each release, and how much was prepared.
create table preparation (
    app text not null,
    version text not null,
    state text not null, -- preparing, prepared or failed
    bytes bigint, -- of all that was prepared
    site_bytes bigint, -- what is sent to a site that has none of it
    content jsonb not null default '[]', -- component, kind, name, sha256 and bytes of each item
    notes jsonb not null default '[]', -- what components do not bring, and why
    cause jsonb, -- why it failed
    changed_at timestamptz not null,
    seq bigint not null,
    primary key (app, version)
);

alter table storage add column prepared_bytes bigint not null default 0;
