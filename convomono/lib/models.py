"""The base classes of our rows: one with our key, one that is only ever added."""

from __future__ import annotations

from typing import Any, NoReturn

from django.db import models

from convomono.lib.ids import uuid7


class BaseModel(models.Model):
    """A row with our key, which is its public id too; `_id` makes it MongoDB's own key."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False, db_column="_id")

    class Meta:
        abstract = True


class RowsAreFixed(Exception):
    """Something tried to change or delete a row that may only ever be added."""


class AppendOnlyQuerySet[Row: models.Model](models.QuerySet[Row]):
    """Refuses what would change rows in bulk."""

    def update(self, **_kwargs: Any) -> NoReturn:
        raise RowsAreFixed(f"{self.model.__name__} rows are never changed.")

    def delete(self) -> NoReturn:
        raise RowsAreFixed(f"{self.model.__name__} rows are never deleted.")

    def bulk_update(self, *_args: Any, **_kwargs: Any) -> NoReturn:
        raise RowsAreFixed(f"{self.model.__name__} rows are never changed.")


class AppendOnly(BaseModel):
    """A row that is written once; a correction is another row."""

    class Meta:
        abstract = True

    def save(self, *args: Any, **kwargs: Any) -> None:
        if not self._state.adding:
            raise RowsAreFixed(f"{type(self).__name__} rows are never changed.")
        kwargs["force_insert"] = True
        super().save(*args, **kwargs)

    def delete(self, *_args: Any, **_kwargs: Any) -> NoReturn:
        raise RowsAreFixed(f"{type(self).__name__} rows are never deleted.")
