-- name: put_secrets
insert into secret (name) select unnest(:names::text[]) on conflict do nothing;

-- name: remove_secrets
delete from secret where name = any(:names::text[]);
