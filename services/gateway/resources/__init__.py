"""What the API shows: one folder a resource, with all that a new field of it or a new resource needs.

`projection.py` folds events (pure) to one row each; `store.py` writes them set-based, by `queries.sql`, each guarded
against what is newer already; `views.py` is what people see of them; `actions.py` says what they may do, and when;
`routes.py` answers, and ends with the RESOURCE that table.py lists. What several of them need lies beside them.
"""
