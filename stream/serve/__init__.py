"""The web page: live deblurring by WebRTC, recorded videos by upload. Needs the extra `web`."""
