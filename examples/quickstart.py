"""Train on scikit-learn's wine data and log everything that is worth keeping to the tracking server.

Environment variables say where the server is, which certificate to trust, and who logs in: ``MLFLOW_TRACKING_URI``,
``MLFLOW_TRACKING_SERVER_CERT_PATH``, ``MLFLOW_TRACKING_USERNAME`` and ``MLFLOW_TRACKING_PASSWORD``; nothing here does.
"""

from __future__ import annotations

import subprocess
import warnings

import matplotlib
import matplotlib.pyplot as plt
import mlflow
import numpy as np
from mlflow import MlflowClient
from mlflow.models import infer_signature
from sklearn.datasets import load_wine
from sklearn.linear_model import SGDClassifier
from sklearn.metrics import ConfusionMatrixDisplay, accuracy_score, log_loss
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

EXPERIMENT = "wine-quickstart"
MODEL = "wine-classifier"
PARAMS = {"loss": "log_loss", "alpha": 0.01, "random_state": 7}
EPOCHS = 10


def git_commit() -> str:
    """Return the commit that this code stands at, or ``unknown`` outside a repository."""
    answer = subprocess.run(["git", "rev-parse", "HEAD"], capture_output=True, text=True, check=False)
    return answer.stdout.strip() or "unknown"


def main() -> None:
    """Log one run, register its model, load it back and predict with it."""
    matplotlib.use("Agg")
    features, labels = load_wine(return_X_y=True, as_frame=True)
    train_x, test_x, train_y, test_y = train_test_split(
        features, labels, test_size=0.3, random_state=7, stratify=labels
    )

    mlflow.set_experiment(EXPERIMENT)
    with mlflow.start_run() as run:
        mlflow.log_params({**PARAMS, "epochs": EPOCHS})
        mlflow.set_tag("git_commit", git_commit())

        scaler = StandardScaler().fit(train_x)
        classifier = SGDClassifier(**PARAMS)
        for epoch in range(EPOCHS):
            classifier.partial_fit(scaler.transform(train_x), train_y, classes=np.unique(labels))
            probabilities = classifier.predict_proba(scaler.transform(test_x))
            mlflow.log_metrics(
                {
                    "test_accuracy": float(accuracy_score(test_y, probabilities.argmax(axis=1))),
                    "test_log_loss": float(log_loss(test_y, probabilities)),
                },
                step=epoch,
            )

        model = make_pipeline(scaler, classifier)
        figure, axes = plt.subplots()
        ConfusionMatrixDisplay.from_estimator(model, test_x, test_y, ax=axes)
        mlflow.log_figure(figure, "confusion_matrix.png")

        logged = mlflow.sklearn.log_model(
            model,
            name="model",
            signature=infer_signature(train_x, model.predict(train_x)),
            input_example=train_x.head(2),
            registered_model_name=MODEL,
        )

    client = MlflowClient()
    version = logged.registered_model_version
    client.set_registered_model_alias(MODEL, "champion", version)

    loaded = mlflow.sklearn.load_model(f"models:/{MODEL}@champion")
    if not np.array_equal(loaded.predict(test_x), model.predict(test_x)):
        msg = f"version {version} of {MODEL} predicts otherwise than the model that was logged"
        raise RuntimeError(msg)

    accuracy = client.get_run(run.info.run_id).data.metrics["test_accuracy"]
    print(f"run {run.info.run_id}: accuracy {accuracy:.3f}")
    print(f"model {MODEL} version {version}: loaded back, predicts the same")
    print(f"{mlflow.get_tracking_uri()}/#/experiments/{run.info.experiment_id}/runs/{run.info.run_id}")


if __name__ == "__main__":
    warnings.filterwarnings("ignore", category=UserWarning)
    main()
