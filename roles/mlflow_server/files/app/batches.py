"""What logs a batch to a run, by one connection to the backend store where MLflow takes two.

MLflow's way opens a session, reads the run in it, and keeps its connection while parameters, metrics and tags are each
written in a session of their own. These read the run again, and refuse one that isn't there or is deleted, so that the
outer session adds nothing but a seventh of the batch's statements, and the danger that requests which hold a connection
each wait for each other's second one.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any


def spare_the_outer_session() -> None:
    """Replace `log_batch` of MLflow's store by one that does the same without it."""
    module: Any = import_module("mlflow.store.tracking.sqlalchemy_store")
    errors: Any = import_module("mlflow.exceptions")
    theirs = module.SqlAlchemyStore.log_batch

    def log_batch(self: Any, run_id: str, metrics: list[Any], params: list[Any], tags: list[Any]) -> None:
        # A model's metrics need the run's experiment, and without content nothing else would look for the run.
        if not (metrics or params or tags) or any(metric.model_id is not None for metric in metrics):
            theirs(self, run_id, metrics, params, tags)
            return
        module._validate_run_id(run_id)
        metrics, params, tags = module._validate_batch_log_data(metrics, params, tags)
        module._validate_batch_log_limits(metrics, params, tags)
        module._validate_param_keys_unique(params)
        try:
            self._log_params(run_id, params)
            if metrics:
                self._log_metrics(run_id, metrics)
            self._set_tags(run_id, tags)
        except errors.MlflowException:
            raise
        except Exception as error:
            raise errors.MlflowException(str(error)) from error

    module.SqlAlchemyStore.log_batch = log_batch
