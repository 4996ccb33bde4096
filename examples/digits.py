"""The main job in one minute: LeNet-5 on the handwritten digits that scikit-learn carries."""

import lenrek

# Few samples (1,797, of 8×8 pixels): shifts, softer targets and averaged weights keep the network from learning them
# by heart. A fifth of them is held out for the figure at the end.
run = lenrek.train(
    "digits", model="lenet5", epochs=60, batch_size=64, augment="shift=0.07", label_smoothing=0.1, ema=0.99, test=0.2
)

test = run.evaluation
low, high = test.accuracy_interval
print(f"\n{test.accuracy:.2%} of {test.num_samples} held-out digits right (95 %: {low:.2%} to {high:.2%})")

from sklearn.datasets import load_digits  # noqa: E402

digits = load_digits()
pictures = (digits.images[:5, None] * (255 / 16)).astype("uint8")
for prediction, truth in zip(lenrek.load(run.path).predict(pictures), digits.target, strict=False):
    print(f"  a {truth} is called {prediction.label} ({prediction.confidence:.1%} sure)")
print(f"\nThe report: {run.path / 'report.html'}")
