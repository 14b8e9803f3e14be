# Loops of its own, as in programs: made, run, closed, and none set at the end.
# %% cell
import asyncio

loop = asyncio.new_event_loop()
asyncio.set_event_loop(loop)
loop.close()
asyncio.set_event_loop(None)
# %% cell
asyncio.run(asyncio.sleep(0))
# %% cell
task = asyncio.create_task(asyncio.sleep(1000))
