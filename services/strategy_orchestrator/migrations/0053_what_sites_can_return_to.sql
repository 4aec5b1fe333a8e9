-- Modelled once, by the deployer's word. Of what it said nothing yet, what was guessed so far is the best there is.
update deployment set history = case when previous is null then '{}' else array[previous] end where history is null;
update deployment set history = array_append(history, version)
where version is not null and status in ('apply_error', 'update_error', 'remove_error');
update deployment set history = array_prepend(version, history) where version is not null and status = 'rollback_error';
alter table deployment
    alter column history set default '{}',
    alter column history set not null,
    drop column previous;
