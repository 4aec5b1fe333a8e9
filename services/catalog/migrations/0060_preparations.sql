-- A release is prepared once for all sites.

create table preparation (
    -- What a release brings to sites, had ready once for all of them (preparation/domain.TRANSITIONS).
    bundle_sha256 text primary key references bundle,
    state text not null check (state in ('preparing', 'prepared', 'failed')),
    on_behalf text[] not null default '{}', -- who has asked; people are not named
    asked_at timestamptz not null, -- when it was begun last
    trouble_since timestamptz, -- what may pass has kept it from going on since then
    settled_at timestamptz,
    cause jsonb, -- code and message
    bytes bigint check (bytes >= 0), -- of all blobs that were prepared
    notes jsonb not null default '[]', -- what components do not bring, and why
    check ((state = 'preparing') = (settled_at is null)),
    check ((state = 'failed') = (cause is not null)),
    check ((state = 'prepared') = (bytes is not null)),
    check (trouble_since is null or state = 'preparing')
);

create table prepared_item (
    -- What is to lie on a site, as ReleasePrepared told it.
    bundle_sha256 text not null references preparation,
    position integer not null,
    component text not null,
    kind text not null check (kind in ('package', 'image')),
    name text not null,
    sha256 text not null check (sha256 ~ '^[0-9a-f]{64}$'),
    bytes bigint not null check (bytes >= 0),
    platform text, -- of an image
    index_sha256 text, -- the list that an image was chosen from
    primary key (bundle_sha256, position)
);

create table prepared_blob (
    -- A blob that a preparation holds in the store, also before it lies there: so it is not freed under its feet.
    bundle_sha256 text not null references preparation,
    sha256 text not null check (sha256 ~ '^[0-9a-f]{64}$'),
    bytes bigint not null check (bytes >= 0),
    primary key (bundle_sha256, sha256)
);
create index prepared_blob_holders on prepared_blob (sha256);

create view blob_holder as
    -- Who keeps a prepared blob from being freed: every bundle that is there, also if its preparation failed and is tried
    -- again one day. When the last one went, the blob goes.
    select p.bundle_sha256, p.sha256, b.freed_at is null as held, b.freed_at as let_go_at
    from prepared_blob p join bundle b on b.sha256 = p.bundle_sha256;
