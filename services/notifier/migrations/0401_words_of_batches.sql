alter table gathering rename to note_batch;
alter table gathered rename to batched_note;
update timer set kind = 'tell_batches' where kind = 'tell_gathered';
alter index gathering_pkey rename to note_batch_pkey;
alter index gathered_pkey rename to batched_note_pkey;
alter sequence gathered_position_seq rename to batched_note_position_seq;
