-- Operations of the kind prestage: what they wait for, what they leave on sites, and by what they are judged.
alter table site add column managed boolean not null default true;
alter table site add column maintenance boolean not null default false;
alter table site add column alarms text[] not null default '{}'; -- active ones that affect management

create table preparation (
    -- Projection of catalog.events: what releases bring to sites, as it lies in the blob store. Its row is locked by who
    -- asks for a preparation and by who learns of its end, so that no operation waits for an end that is over.
    app text not null,
    version text not null,
    state text not null check (state in
        ('asked',
         'prepared', -- asked, failed ->
         'failed')), -- asked ->; asked for once more by somebody new, it is `asked` again
    bundle_sha256 text,
    content jsonb, -- component, kind, name, sha256, bytes, platform, index of each item
    bytes bigint,
    notes text[] not null default '{}', -- what components do not bring by themselves, and why
    cause jsonb, -- of the failure told last
    failed_for text[] not null default '{}', -- on whose behalf; for these it is not tried again
    at timestamptz, -- of its end
    primary key (app, version),
    check ((state = 'prepared') = (content is not null)),
    check (state <> 'prepared' or (bundle_sha256 is not null and bytes is not null and at is not null)),
    check (state <> 'failed' or cause is not null)
);

alter table deployment add column prestaged jsonb; -- what lies there before it is needed

alter table operation drop constraint operation_kind_check;
alter table operation add constraint operation_kind_check
    check (kind in ('apply', 'update', 'rollback', 'recover', 'remove', 'prestage'));
alter table operation add column force boolean not null default false;
alter table operation add column on_behalf text; -- who asked for the preparation that it waits for
alter table operation add column awaits text; -- the command that asked; nobody takes it up until the preparation has ended
alter table operation add column refused jsonb; -- the cause for which it ends as soon as it is taken up
alter table operation add check (awaits is null or (runner is null and finished_at is null and on_behalf is not null));
drop index operation_waiting;
create index operation_waiting on operation (requested_at)
    where finished_at is null and runner is null and awaits is null;
create index operation_awaiting on operation (app, to_version) where awaits is not null;
