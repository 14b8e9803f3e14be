# Plots, shown and not shown.
# %% cell
import matplotlib.pyplot as plt
import numpy as np

plt.figure(figsize=(8, 6), dpi=150)
plt.imshow(np.random.rand(200, 200))
plt.show()
figure, axes = plt.subplots(3, 3)
axes[0, 0].hist(np.random.rand(1000))
figure
# %% last
plt.plot(range(10))
plt.title("λ over time")
