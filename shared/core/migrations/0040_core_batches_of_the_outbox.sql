alter table outbox rename column parcel to batch;
alter table refused_record rename column parcel to batch;
