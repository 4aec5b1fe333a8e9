create table publication (
    id text primary key,
    state text not null,
    phase text,
    done_bytes bigint,
    total_bytes bigint,
    bundle_sha256 text,
    app text,
    version text,
    faults jsonb not null default '[]',
    at timestamptz not null
);
create index publication_by_age on publication (at);
