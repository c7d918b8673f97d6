"""The art directions, one module each; every module has `page(brief) -> Page`."""
