import threading

from sweep.datasets.decoders.recipe_2.room import ALONE_PIXELS, TOGETHER_PIXELS, room_for


def started(pixels: int) -> tuple[threading.Thread, threading.Event, threading.Event]:
    """Starts a thread that takes room for an image; returns it, what says that it has it, and what ends it."""
    has_room, may_end = threading.Event(), threading.Event()

    def decode() -> None:
        with room_for(pixels):
            has_room.set()
            may_end.wait(60)

    thread = threading.Thread(target=decode, daemon=True)
    thread.start()
    return thread, has_room, may_end


def test_an_image_of_more_than_50_million_pixels_waits_until_no_other_is_decoded():
    small, has_room, small_may_end = started(1000)
    assert has_room.wait(60)
    large, large_has_room, large_may_end = started(ALONE_PIXELS + 1)
    beside, beside_has_room, beside_may_end = started(1000)
    assert beside_has_room.wait(60)
    assert not large_has_room.is_set()

    for event in (small_may_end, beside_may_end):
        event.set()
    assert large_has_room.wait(60)
    later, later_has_room, later_may_end = started(1)
    assert not later_has_room.is_set()

    large_may_end.set()
    assert later_has_room.wait(60)
    later_may_end.set()
    for thread in (small, large, beside, later):
        thread.join(60)


def test_smaller_ones_are_decoded_together_up_to_a_limit():
    both = [started(TOGETHER_PIXELS // 2) for _ in range(2)]
    assert all(has_room.wait(60) for _, has_room, _ in both)
    third, third_has_room, third_may_end = started(1)
    assert not third_has_room.is_set()

    both[0][2].set()

    assert third_has_room.wait(60)
    for event in (both[1][2], third_may_end):
        event.set()
    for thread in (third, *(thread for thread, _, _ in both)):
        thread.join(60)


def test_the_room_of_an_image_that_cannot_be_decoded_is_free_again():
    for _ in range(3):
        try:
            with room_for(ALONE_PIXELS + 1):
                raise ValueError
        except ValueError:
            continue
