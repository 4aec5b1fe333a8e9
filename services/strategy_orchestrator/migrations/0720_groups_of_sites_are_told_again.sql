-- A deployer of before passed groups and labels of sites by. Told at once; once more for those whose deployers were replaced
-- after this one, or came back to an older version meanwhile.
insert into timer (kind, key, due_at)
values ('tell_sites', 'now', now()), ('tell_sites', 'hour', now() + interval '1 hour'),
    ('tell_sites', 'day', now() + interval '1 day')
on conflict (kind, key) do nothing;
