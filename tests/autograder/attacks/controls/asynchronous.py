# Awaits at the top of a cell.
# %% cell
import asyncio

await asyncio.sleep(0.1)
task = asyncio.ensure_future(asyncio.sleep(0.5))
