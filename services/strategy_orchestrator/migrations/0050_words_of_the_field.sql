-- The words of the field, in place of our own.
alter table stage rename column parked to blocked;
alter table stage rename column forgiven to accepted_failures;
alter table stage rename constraint parked_ones_wait to blocked_ones_wait;
alter table step rename column parked to blocked;
alter index step_parked rename to step_blocked;
alter table share rename to group_queue;
alter table group_queue rename column blocked to waits_for_group;
alter table group_queue rename constraint share_pkey to group_queue_pkey;
alter index share_blocked rename to group_queue_waiting;
update timer set kind = 'look_again' where kind = 'soak';
update timer set kind = 'group_slot' where kind = 'room';
update timer set kind = 'unblock' where kind = 'unpark';
