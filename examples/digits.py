"""The main job in one minute: LeNet-5 on the handwritten digits that scikit-learn carries."""

import lenrek

# Small pictures (8×8) and few of them (1,797): an eighth of the picture as random shift makes up for some of that.
run = lenrek.train("digits", model="lenet5", epochs=60, augment="shift=0.07")

test = run.evaluation
low, high = test.accuracy_interval
print(f"\n{test.accuracy:.2%} of {test.num_samples} held-out digits right (95 %: {low:.2%} to {high:.2%})")

from sklearn.datasets import load_digits  # noqa: E402

digits = load_digits()
pictures = (digits.images[:5, None] * (255 / 16)).astype("uint8")
for prediction, truth in zip(lenrek.load(run.path).predict(pictures), digits.target, strict=False):
    print(f"  a {truth} is called {prediction.label} ({prediction.confidence:.1%} sure)")
print(f"\nThe report: {run.path / 'report.html'}")
