"""Reviews that outlive the server: kept in a database, every step on the record.

SQLAlchemy takes 0.4 s to import and Alembic 0.25 s more, so the names are imported when they are
first used (see __init__.pyi): the first page does not wait for a database.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
