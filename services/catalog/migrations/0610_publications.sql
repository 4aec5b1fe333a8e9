create table publication (
    id text primary key,
    bundle_sha256 text references bundle,
    app text,
    version text,
    correlation_id text not null,
    actor text not null,
    asked_at timestamptz not null,
    source text,
    wanted_sha256 text,
    file_name text not null default '',
    resolved text,
    validator text,
    trouble_since timestamptz,
    check ((source is null) = (bundle_sha256 is not null))
);
create index publication_of_bundle on publication (bundle_sha256);
