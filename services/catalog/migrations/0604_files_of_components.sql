-- What a component is made of, where its driver knows that: the same in another release is the same component.

alter table component add column files_sha256 text;
