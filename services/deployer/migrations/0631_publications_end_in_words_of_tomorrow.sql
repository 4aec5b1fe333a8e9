-- How a publication ended is its owner's word: a newer catalog may have more of them.
alter table publication drop constraint publication_state_check;
