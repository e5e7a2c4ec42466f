-- When a password was entered, so that an operator can see which one expires next. Sealing it anew under another key
-- does not change it. Null: entered before this column was there.
alter table service_user_credential add column password_changed_at timestamptz;
