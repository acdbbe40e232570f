"""What every analysis asks of a frame: its columns, and times with a zone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

import pandas as pd

from core.errors import DataError, Problem, did_you_mean


def require_columns(frame: pd.DataFrame, name: str, columns: Sequence[str]) -> None:
    """Refuse a frame without the announced columns.

    Parameters
    ----------
    frame : the table to check
    name : what the message calls it
    columns : all of these must be there

    Raises
    ------
    DataError : one problem for each missing column, with the nearest present one
    """
    present = [str(column) for column in frame.columns]
    missing = [column for column in columns if column not in present]
    if missing:
        raise DataError(
            *(
                Problem(
                    f"table `{name}` needs a column `{column}`",
                    hint=did_you_mean(column, present),
                )
                for column in missing
            )
        )


def moment(value: datetime) -> pd.Timestamp:
    """`value` as a pandas moment in UTC.

    Parameters
    ----------
    value : aware

    Raises
    ------
    DataError : if it has no time zone
    """
    if value.tzinfo is None:
        raise DataError(Problem("a moment needs a time zone", repr(value)))
    return pd.Timestamp(value).tz_convert("UTC")


def times(frame: pd.DataFrame, name: str, column: str) -> pd.Series[pd.Timestamp]:
    """One column as aware UTC moments; unknown ones are NaT.

    Parameters
    ----------
    frame : the table that holds it
    name : what the message calls the table
    column : datetime64 with a zone; an empty or all-missing column may have any dtype

    Raises
    ------
    DataError : if the column holds moments without a time zone
    """
    values = frame[column]
    if values.notna().any():
        values = pd.to_datetime(values)
        if values.dt.tz is None:
            raise DataError(Problem(f"`{name}.{column}` needs a time zone (UTC)"))
    return pd.to_datetime(values, utc=True)


def empty_table(dtypes: Mapping[str, str], index: str | None = None) -> pd.DataFrame:
    """A table of no rows with these columns.

    Parameters
    ----------
    dtypes : column name to dtype
    index : name of an int64 index; None makes a plain one
    """
    frame = pd.DataFrame(
        {column: pd.Series(dtype=dtype) for column, dtype in dtypes.items()}
    )
    if index is not None:
        frame.index = pd.Index([], dtype="int64", name=index)
    return frame
