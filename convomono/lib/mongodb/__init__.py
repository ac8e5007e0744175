"""
The database engine of MongoDB: django-mongodb-backend with integer keys for third-party apps.

What it changes, and nothing else:

* AutoField, BigAutoField and SmallAutoField take integers from counter documents, so that the
  migrations of Django and of third-party apps run unchanged on SQLite and on MongoDB;
* delete() whose filter joins another collection deletes in two steps instead of raising;
* conditions, order and limit come before joins, so that indexes serve lists (`pipelines.py`);
* unique keys are whole indexes, which serve who asks by the first column alone (`schema.py`);
* update() that would need a subquery raises instead of changing the wrong rows;
* a failed commit comes out as DatabaseError and leaves no dead client session behind.

It reaches into private names of django-mongodb-backend: keep the exact pin and run its tests on
every bump.
"""
