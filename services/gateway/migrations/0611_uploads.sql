create table upload (
    id text primary key,
    owner text not null,
    bytes bigint not null check (bytes > 0),
    file_name text not null,
    sha256 text,
    app text,
    version text,
    state text not null default 'open' check (state in ('open', 'complete')),
    writer text,
    writer_until timestamptz,
    expires_at timestamptz not null,
    check ((writer is null) = (writer_until is null)),
    check (state = 'open' or (sha256 is not null and writer is null))
);
create index upload_by_expiry on upload (expires_at);
